#include <doctest/doctest.h>

#include <algorithm>

#include "drawstore/file_backend.hpp"
#include "file/header.hpp"
#include "file_stores.hpp"
#include "golden.hpp"

using namespace file_stores;

namespace {

constexpr int newest = 2;

fs::path stored(int version) {
    return fs::path(DRAWSTORE_TEST_DATA) / ("format-" + std::to_string(version));
}

// All but the name of the process that wrote it.
std::vector<std::byte> without_holder(std::vector<std::byte> bytes) {
    std::fill(bytes.begin() + 512, bytes.begin() + 1024, std::byte{0});
    return bytes;
}

void check_golden(const fs::path& folder) {
    drawstore::FileBackend backend(folder, drawstore::Mode::Read);
    const auto run = backend.get_run("golden");
    const auto meta = golden::meta();
    CHECK(run->meta().variables == meta.variables);
    CHECK(run->meta().sample_stats == meta.sample_stats);
    CHECK(run->meta().message == meta.message);
    const auto chains = run->get_chains();
    REQUIRE(chains.size() == std::size(golden::draws_of_chain));
    for (std::size_t c = 0; c < chains.size(); ++c) {
        const drawstore::Chain& chain = *chains[c];
        REQUIRE(chain.size() == golden::draws_of_chain[c]);
        const auto int32 = chain.get_draws("int32");
        const auto complex = chain.get_draws("complex128");
        const auto ragged = chain.get_draws("ragged");
        const auto text = chain.get_draws("text \xC3\xBC");
        const auto energy = chain.get_stats("energy");
        for (std::uint64_t i = 0; i < chain.size(); ++i) {
            const auto n = static_cast<std::int32_t>(i);
            const std::vector<std::int32_t> expected_int32{n, -n, 1000 * n, 7};
            CHECK(std::ranges::equal(int32.at<std::int32_t>(i), expected_int32));
            CHECK(complex.at<std::complex<double>>(i)[0] == std::complex<double>(n, -0.5));
            CHECK(ragged.at<float>(i).size() == i % 4);
            const std::string words =
                i % 5 == 0 ? "" : "draw " + std::to_string(i) + " \xE2\x9C\x93";
            CHECK(text.texts_at(i).at(0) == words);
            CHECK(energy.is_missing(i) == (i % 4 == 1));
            if (!energy.is_missing(i)) CHECK(energy.at<double>(i)[0] == -1.5 * n);
        }
    }
}

}  // namespace

TEST_CASE("files of all versions of the format are read") {
    for (int version = 1; version <= newest; ++version) check_golden(stored(version));
}

TEST_CASE("files of all versions are gone on with, as what they are") {
    for (int version = 1; version <= newest; ++version) {
        const Folder folder;
        const fs::path copy = folder / "runs";
        fs::copy(stored(version), copy, fs::copy_options::recursive);
        for (std::uint64_t n = golden::draws_of_chain[0]; n < 500; n += 40) {
            drawstore::FileBackend backend(copy);
            const auto chain =
                backend.get_run("golden")->init_chain(0, drawstore::Run::Existing::Resume);
            REQUIRE(chain->size() == n);
            for (std::uint64_t i = n; i < n + 40; ++i) {
                golden::append(*chain, static_cast<std::int64_t>(i));
            }
            const auto text = chain->get_draws("text \xC3\xBC");
            for (std::uint64_t i = 0; i < n + 40; ++i) {
                const std::string words =
                    i % 5 == 0 ? "" : "draw " + std::to_string(i) + " \xE2\x9C\x93";
                CHECK(text.texts_at(i).at(0) == words);
            }
        }
        const auto file =
            drawstore::file::File::open_to_read(golden::data_file(copy / "golden", 0));
        CHECK(drawstore::file::read_head(file).version == static_cast<std::uint32_t>(version));
    }
}

TEST_CASE("what is written is the newest version of the format, byte by byte") {
    const fs::path run = stored(newest) / "golden";
    std::vector<drawstore::file::Id> ids;
    for (std::uint32_t number = 0; number < std::size(golden::draws_of_chain); ++number) {
        const auto file = drawstore::file::File::open_to_read(golden::data_file(run, number));
        ids.push_back(drawstore::file::read_head(file).id);
    }
    const Folder folder;
    golden::write(folder.path(), drawstore::file::read_run_meta(run).created_at, ids);
    // Where these differ, the format has changed: give it a new version.
    CHECK(contents(folder / "run.meta") == contents(run / "run.meta"));
    for (std::uint32_t number = 0; number < ids.size(); ++number) {
        const auto written = without_holder(contents(golden::data_file(folder.path(), number)));
        const auto golden = without_holder(contents(golden::data_file(run, number)));
        CHECK(written.size() == golden.size());
        CHECK(std::ranges::mismatch(written, golden).in1 == written.end());
    }
}
