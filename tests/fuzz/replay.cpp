/// Run a fuzz target over inputs that were kept, files or folders of them, where there is no fuzzer: every build can.
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <span>
#include <stdexcept>
#include <vector>

#include "input.hpp"
#include "moverank/simd.hpp"

namespace {

namespace fs = std::filesystem;

void run(const fs::path& path) {
    std::clog << path.string() << std::endl;  // before it runs: the last one named is the one that found something
    std::ifstream file(path, std::ios::binary);
    const std::vector<char> octets{std::istreambuf_iterator<char>(file), {}};
    LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(octets.data()), octets.size());
}

}  // namespace

int main(int argc, char** argv) {
    try {
        std::clog << "on " << moverank::simd_level() << std::endl;
    } catch (const std::runtime_error& error) {  // a level that this processor lacks: ctest skips by the message
        std::cerr << error.what() << '\n';
        return 1;
    }
    std::size_t n_files = 0;
    for (const fs::path path : std::span(argv, static_cast<std::size_t>(argc)).subspan(1)) {
        std::vector<fs::path> files{path};
        if (fs::is_directory(path)) {
            files.assign(fs::directory_iterator(path), {});
        }
        for (const fs::path& each : files) {
            run(each);
            ++n_files;
        }
    }
    std::cout << n_files << " passed, 0 failed\n";
    return n_files == 0 ? 1 : 0;
}
