/// Run a fuzz target over inputs, where there is no fuzzer: every build can. They are files, folders of files, or
/// archives (.tar) as `fuzz.corpus` writes them.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "input.hpp"
#include "moverank/simd.hpp"

namespace {

namespace fs = std::filesystem;

void run(const std::string& name, std::span<const char> octets) {
    std::clog << name << std::endl;  // before it runs: the last one named is the one that found something
    // In memory of its own size, so that a sanitizer detects reads beyond the end.
    const std::vector<std::uint8_t> input(octets.begin(), octets.end());
    LLVMFuzzerTestOneInput(input.data(), input.size());
}

/// Run every file of an archive (POSIX ustar: blocks of 512 octets, a header before each file); returns their number.
std::size_t run_archive(const std::string& name, std::span<const char> octets) {
    constexpr std::size_t block = 512, size_at = 124, size_digits = 11;
    std::size_t n_files = 0;
    while (octets.size() >= block && octets[0] != 0) {
        const std::string member(octets.data(), std::ranges::find(octets.first(100), '\0') - octets.begin());
        const std::size_t size = std::stoul(std::string(octets.data() + size_at, size_digits), nullptr, 8);
        if (size > octets.size() - block) {
            throw std::runtime_error(name + ": ends before its file " + member);
        }
        run(name + "/" + member, octets.subspan(block, size));
        octets = octets.subspan(std::min(octets.size(), block + (size + block - 1) / block * block));
        ++n_files;
    }
    return n_files;
}

std::size_t run_file(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    const std::vector<char> octets{std::istreambuf_iterator<char>(file), {}};
    if (!file) {
        throw std::runtime_error(path.string() + " cannot be read");
    }
    if (path.extension() == ".tar") {
        return run_archive(path.string(), octets);
    }
    run(path.string(), octets);
    return 1;
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
            n_files += run_file(each);
        }
    }
    std::cout << n_files << " passed, 0 failed\n";
    return n_files == 0 ? 1 : 0;
}
