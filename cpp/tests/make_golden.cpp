// make_golden FOLDER: writes the files of tests/data/format-N anew, for a new version N of
// the format.
#include <cstdio>

#include "golden.hpp"

int main(int argc, char** argv) {
    if (argc != 2) {
        std::fputs("usage: make_golden FOLDER\n", stderr);
        return 2;
    }
    const std::filesystem::path folder = argv[1];
    std::filesystem::create_directories(folder);
    const std::vector<drawstore::file::Id> ids{
        drawstore::file::random_id(), drawstore::file::random_id(), drawstore::file::random_id()};
    const auto now =
        std::chrono::time_point_cast<drawstore::Time::duration>(std::chrono::system_clock::now());
    golden::write(folder, now, ids);
}
