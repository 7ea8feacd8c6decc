#include <doctest/doctest.h>
#include <sys/wait.h>

#include <cmath>
#include <cstdlib>
#include <string>
#include <vector>

#include "drawstore/error.hpp"
#include "drawstore/file_backend.hpp"
#include "file_stores.hpp"

using drawstore::FileBackend;
using drawstore::Mode;
using drawstore::Run;
using drawstore::RunMeta;
using drawstore::Variable;
using namespace file_stores;

namespace {

RunMeta some_meta(std::string rid = "") {
    return {std::move(rid),
            {{.name = "x", .shape = {2}, .dims = {"axis"}},
             {.name = "text", .dtype = drawstore::text_dtype()},
             {.name = "any",
              .dtype = drawstore::dtype_of<float>(),
              .shape = {-1},
              .is_deterministic = true}},
            {{.name = "energy"}, {.name = "tune", .dtype = drawstore::dtype_of<bool>()}},
            std::string("message\0of bytes", 16)};
}

void append_draw(drawstore::Chain& chain, int i) {
    const std::vector<double> x{i * 1.0, -i * 1.0};
    const std::vector<float> any(static_cast<std::size_t>(i % 5), 0.5f * static_cast<float>(i));
    const std::string text = "draw " + std::to_string(i);
    if (i % 3 == 0) {
        chain.append({{"x", x}, {"text", text}, {"any", any}}, {{"tune", i < 10}});
    } else {
        chain.append({{"x", x}, {"text", text}, {"any", any}},
                     {{"energy", i * 0.5}, {"tune", i < 10}});
    }
}

bool holds_draws(const drawstore::Chain& chain, int n) {
    if (chain.size() != static_cast<std::uint64_t>(n)) return false;
    const auto x = chain.get_draws("x");
    const auto text = chain.get_draws("text");
    const auto any = chain.get_draws("any");
    const auto energy = chain.get_stats("energy");
    for (int i = 0; i < n; ++i) {
        const auto row = static_cast<std::uint64_t>(i);
        if (x.at<double>(row)[0] != i || x.at<double>(row)[1] != -i) return false;
        if (text.texts_at(row) != std::vector<std::string_view>{"draw " + std::to_string(i)}) {
            return false;
        }
        if (any.at<float>(row).size() != row % 5) return false;
        for (const float value : any.at<float>(row)) {
            if (value != 0.5f * static_cast<float>(i)) return false;
        }
        if (energy.is_missing(row) != (i % 3 == 0)) return false;
        if (i % 3 != 0 && energy.at<double>(row)[0] != i * 0.5) return false;
    }
    return true;
}

// What the function returns in a forked child.
template <typename Call>
int in_child(Call&& call) {
    const pid_t child = fork();
    if (child == 0) _exit(call());
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace

TEST_CASE("a run in files comes back as it was, by another backend") {
    const Folder folder;
    const auto where = folder / "deep/directory";
    std::string rid;
    {
        FileBackend backend(where);
        CHECK_FALSE(fs::exists(where));
        const auto run = backend.init_run(some_meta());
        rid = run->meta().rid;
        CHECK_FALSE(rid.empty());
        const auto chain = run->init_chain(2);
        for (int i = 0; i < 40; ++i) append_draw(*chain, i);
        CHECK(holds_draws(*chain, 40));
        append_draw(*run->init_chain(0), 0);
    }
    FileBackend backend(where, Mode::Read);
    const auto run = backend.get_run(rid);
    const RunMeta meta = some_meta(rid);
    CHECK(run->meta().variables == meta.variables);
    CHECK(run->meta().sample_stats == meta.sample_stats);
    CHECK(run->meta().message == meta.message);
    const auto infos = backend.get_runs();
    REQUIRE(infos.size() == 1);
    CHECK(infos[0].rid == rid);
    CHECK(infos[0].created_at == run->created_at());
    CHECK(infos[0].chains == std::map<std::uint32_t, std::uint64_t>{{0, 1}, {2, 40}});
    CHECK(infos[0].bytes == run->bytes());
    CHECK(run->bytes() > 10'000);
    const auto chains = run->get_chains();
    REQUIRE(chains.size() == 2);
    CHECK(chains[1]->chain_number() == 2);
    CHECK(holds_draws(*chains[0], 1));
    CHECK(holds_draws(*chains[1], 40));
    CHECK_THROWS_AS(append_draw(*chains[1], 40), drawstore::StateError);
    CHECK_THROWS_AS(run->init_chain(5), drawstore::StateError);
    CHECK_THROWS_AS(backend.init_run(some_meta()), drawstore::StateError);
    CHECK_THROWS_AS(backend.delete_run(rid), drawstore::StateError);
}

TEST_CASE("two backends of a process, and the links to a directory, share its chains") {
    const Folder folder;
    fs::create_directories(folder / "a");
    fs::create_directory_symlink(folder / "a", folder / "b");
    FileBackend first(folder / "a");
    FileBackend second(folder / "b");
    const auto chain = first.init_run(some_meta("run"))->init_chain(0);
    append_draw(*chain, 0);
    const auto other = second.get_run("run");
    CHECK(other->get_chains().at(0) == chain);
    CHECK_THROWS_WITH_AS(other->init_chain(0), doctest::Contains("with 1 draws"),
                         drawstore::ValueError);
    CHECK(other->init_chain(0, Run::Existing::Resume) == chain);
    chain->close();
    CHECK(other->init_chain(0, Run::Existing::Resume) == chain);
    append_draw(*chain, 1);
    CHECK(holds_draws(*chain, 2));
}

TEST_CASE("a chain is resumed by another process, and read while it is written") {
    const Folder folder;
    FileBackend backend(folder / "runs");
    const auto run = backend.init_run(some_meta("run"));
    append_draw(*run->init_chain(0), 0);
    const auto reader = run->get_chains().at(0);
    CHECK(in_child([&] {
              FileBackend own(folder / "runs");
              const auto chain = own.get_run("run")->init_chain(0, Run::Existing::Resume);
              for (int i = 1; i < 30; ++i) append_draw(*chain, i);
              return holds_draws(*chain, 30) ? 0 : 1;
          }) == 0);
    CHECK(holds_draws(*reader, 30));
    const auto chain = run->init_chain(0, Run::Existing::Resume);
    for (int i = 30; i < 50; ++i) append_draw(*chain, i);
    CHECK(holds_draws(*chain, 50));
    CHECK(holds_draws(*reader, 50));
}

TEST_CASE("several processes write different chains of one run") {
    const Folder folder;
    FileBackend backend(folder / "runs");
    const auto run = backend.init_run(some_meta("run"));
    std::vector<pid_t> children;
    for (std::uint32_t number = 0; number < 3; ++number) {
        const pid_t child = fork();
        if (child == 0) {
            FileBackend own(folder / "runs");
            const auto chain = own.get_run("run")->init_chain(number);
            for (int i = 0; i < 200; ++i) append_draw(*chain, i);
            _exit(0);
        }
        children.push_back(child);
    }
    for (const pid_t child : children) waitpid(child, nullptr, 0);
    const auto chains = run->get_chains();
    REQUIRE(chains.size() == 3);
    for (const auto& chain : chains) CHECK(holds_draws(*chain, 200));
}

TEST_CASE("a forked child neither writes its parent's chain nor keeps its lock") {
    const Folder folder;
    FileBackend backend(folder / "runs");
    const auto run = backend.init_run(some_meta("run"));
    auto chain = run->init_chain(0);
    append_draw(*chain, 0);
    int started[2];
    int pipes[2];
    REQUIRE(pipe(started) == 0);
    REQUIRE(pipe(pipes) == 0);
    const pid_t child = fork();
    if (child == 0) {
        int code = 0;
        try {
            append_draw(*chain, 1);
            code |= 1;
        } catch (const drawstore::StateError& error) {
            if (std::string(error.what()).find("forked") == std::string::npos) code |= 2;
        }
        if (!holds_draws(*chain, 1)) code |= 4;  // but it may read
        chain->close();
        chain.reset();
        char byte = 0;
        close(pipes[1]);
        close(started[1]);
        if (read(pipes[0], &byte, 1) != 0) code |= 8;  // until the parent lets it go
        _exit(code);
    }
    close(pipes[0]);
    close(started[1]);
    char byte = 0;
    CHECK(read(started[0], &byte, 1) == 0);
    append_draw(*chain, 1);
    chain.reset();
    // The child lives, and the lock is free.
    const auto again = run->init_chain(0, Run::Existing::Resume);
    append_draw(*again, 2);
    CHECK(holds_draws(*again, 3));
    close(started[0]);
    close(pipes[1]);
    int status = 0;
    waitpid(child, &status, 0);
    CHECK(WEXITSTATUS(status) == 0);
}

TEST_CASE("a run that another process writes is neither written nor deleted") {
    const Folder folder;
    FileBackend backend(folder / "runs");
    const auto run = backend.init_run(some_meta("run"));
    const auto chain = run->init_chain(0);
    append_draw(*chain, 0);
    const std::string me = "process " + std::to_string(getpid()) + " on host '";
    CHECK(in_child([&] {
              FileBackend own(folder / "runs");
              int code = 0;
              try {
                  own.get_run("run")->init_chain(0, Run::Existing::Resume);
                  code |= 1;
              } catch (const drawstore::StateError& error) {
                  if (std::string(error.what()).find(me) == std::string::npos) code |= 2;
              }
              try {
                  own.delete_run("run");
                  code |= 4;
              } catch (const drawstore::StateError& error) {
                  if (std::string(error.what()).find(me) == std::string::npos) code |= 8;
              }
              return code;
          }) == 0);
    CHECK_THROWS_AS(backend.delete_run("run"), drawstore::StateError);
    CHECK(holds_draws(*chain, 1));
    chain->close();
    backend.delete_run("run");
    CHECK(holds_draws(*chain, 1));  // a handle keeps what it has
    CHECK(backend.get_runs().empty());
    CHECK(fs::is_empty(folder / "runs"));
}

TEST_CASE("a run takes the place of another, unless that is being written") {
    const Folder folder;
    FileBackend backend(folder / "runs"), other(folder / "runs" / ".made");
    for (FileBackend* each : {&backend, &other}) {
        const auto chain = each->init_run(some_meta("run"))->init_chain(0);
        for (int i = 0; i < (each == &other ? 7 : 3); ++i) append_draw(*chain, i);
        chain->close();
    }
    const auto written = backend.get_run("run")->init_chain(0, Run::Existing::Resume);
    CHECK_THROWS_AS(backend.take_run(other, "run"), drawstore::StateError);
    CHECK(backend.get_run("run")->get_chains().at(0)->size() == 3);
    written->close();
    backend.take_run(other, "run");
    CHECK(backend.get_run("run")->get_chains().at(0)->size() == 7);
    CHECK(backend.get_runs().size() == 1);
    CHECK(other.get_runs().empty());
    CHECK_THROWS_AS(backend.take_run(other, "run"), drawstore::SystemError);
    CHECK(backend.get_run("run")->get_chains().at(0)->size() == 7);
}

TEST_CASE("runs are found by any id, and listed in the order in which they were made") {
    const Folder folder;
    FileBackend backend(folder / "runs");
    const std::vector<std::string> rids{"b", "../a", "a b/c", ".", "..", "%41", "A.x", "ü\n", ".b"};
    for (const auto& rid : rids) backend.init_run(some_meta(rid));
    std::vector<std::string> found;
    for (const auto& info : backend.get_runs()) found.push_back(info.rid);
    CHECK(found == rids);
    for (const auto& rid : rids) {
        CHECK(backend.get_run(rid)->meta().rid == rid);
        CHECK(backend.folder(rid).parent_path() == backend.directory());
    }
    CHECK_THROWS_WITH_AS(backend.init_run(some_meta("b")), doctest::Contains("'b'"),
                         drawstore::ValueError);
    CHECK_THROWS_WITH_AS(backend.get_run("c"), doctest::Contains("there are 'b'"),
                         drawstore::NameError);
    CHECK_THROWS_AS(backend.delete_run("c"), drawstore::NameError);
    CHECK_THROWS_AS(backend.init_run({"twice", {{.name = "x"}, {.name = "x"}}, {}, ""}),
                    drawstore::ValueError);
    CHECK(backend.get_runs().size() == rids.size());
}

TEST_CASE("what is not a run is left alone") {
    const Folder folder;
    fs::create_directories(folder / "runs/other");
    write_contents(folder / "runs/other/chain-0.draws", {});
    write_contents(folder / "runs/file", {});
    FileBackend backend(folder / "runs");
    CHECK(backend.get_runs().empty());
    const auto run = backend.init_run(some_meta("run"));
    for (const char* const name : {"chain-01.draws", "chain-.draws", "chain-1.draws~", "x"}) {
        write_contents(backend.folder("run") / name, {});
    }
    CHECK(run->get_chains().empty());
    CHECK_THROWS_WITH_AS(backend.init_run(some_meta("other")), doctest::Contains("in the way"),
                         drawstore::ValueError);
}

TEST_CASE("a directory that is not there has no runs yet, or is an error of the system") {
    const Folder folder;
    FileBackend writing(folder / "none");
    CHECK(writing.get_runs().empty());
    CHECK_THROWS_WITH_AS(writing.get_run("x"), doctest::Contains("there are none"),
                         drawstore::NameError);
    CHECK_THROWS_AS(writing.delete_run("x"), drawstore::NameError);
    FileBackend reading(folder / "none", Mode::Read);
    CHECK_THROWS_AS(reading.get_runs(), drawstore::SystemError);
    CHECK_THROWS_AS(reading.get_run("x"), drawstore::SystemError);
    CHECK_FALSE(fs::exists(folder / "none"));
    write_contents(folder / "file", {});
    CHECK_THROWS_AS(FileBackend(folder / "file").init_run(some_meta()), drawstore::SystemError);
}

TEST_CASE("metadata that is damaged, foreign or of a newer version is refused") {
    const Folder folder;
    FileBackend backend(folder / "runs");
    backend.init_run(some_meta("run"));
    const auto path = backend.folder("run") / "run.meta";
    const auto good = contents(path);
    for (std::size_t i = 0; i < good.size(); i += i < 30 ? 1 : 5) {
        auto bytes = good;
        bytes[i] ^= std::byte{1} << (i % 8);
        write_contents(path, bytes);
        CHECK_THROWS_AS(backend.get_run("run"), drawstore::DataError);
        bytes = good;
        bytes.resize(i);
        write_contents(path, bytes);
        CHECK_THROWS_AS(backend.get_run("run"), drawstore::DataError);
    }
    auto newer = good;
    newer[8] = std::byte{2};
    write_contents(path, newer);
    CHECK_THROWS_WITH_AS(backend.get_run("run"), doctest::Contains("install a newer one"),
                         drawstore::DataError);
    write_contents(path, good);
    CHECK(backend.get_run("run")->meta().rid == "run");
}

TEST_CASE("a data file of another run's columns is refused") {
    const Folder folder;
    FileBackend backend(folder / "runs");
    append_draw(*backend.init_run(some_meta("a"))->init_chain(0), 0);
    const auto run = backend.init_run({"b", {{.name = "x"}}, {}, ""});
    fs::copy(backend.folder("a") / "chain-0.draws", backend.folder("b") / "chain-0.draws");
    CHECK_THROWS_AS(run->get_chains(), drawstore::DataError);
    CHECK_THROWS_AS(run->init_chain(0, Run::Existing::Resume), drawstore::DataError);
}

TEST_CASE("the draws of many small chains take little space") {
    const Folder folder;
    FileBackend backend(folder / "runs");
    RunMeta meta;
    meta.variables.resize(1000);
    for (std::size_t i = 0; i < 1000; ++i) meta.variables[i].name = "v" + std::to_string(i);
    const auto run = backend.init_run(meta);
    const double value = 1.5;
    std::vector<drawstore::NamedValue> draw;
    for (const Variable& variable : run->meta().variables) draw.emplace_back(variable.name, value);
    for (std::uint32_t number = 0; number < 4; ++number) {
        const auto chain = run->init_chain(number);
        for (int i = 0; i < 10; ++i) chain->append(draw);
    }
    CHECK(run->bytes() < 2'000'000);
}
