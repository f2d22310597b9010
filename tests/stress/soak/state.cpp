#include "state.hpp"

#include <fstream>
#include <iomanip>
#include <sstream>
#include <stdexcept>

namespace soak {

namespace {

/// One line each: a key, numbers, and then text, which may contain blanks.
constexpr const char* first_line = "moverank soak, generation ";

}  // namespace

void State::save(const std::filesystem::path& path) const {
    std::filesystem::path fresh = path;
    fresh += ".new";
    {
        std::ofstream out(fresh);
        out << first_line << generation << "\nlevel " << level << "\nfrom " << from << "\ncount " << count << "\nnext "
            << next << "\nseconds " << seconds << "\ncpu_seconds " << cpu_seconds << "\nproblems " << counts.problems
            << '\n';
        for (std::size_t c = 0; c < n_claims; ++c) {
            out << "checks " << counts.checks[c] << ' ' << claim_names[c] << '\n';
        }
        for (const auto& [name, problems] : counts.families) {
            out << "family " << problems << ' ' << name << '\n';
        }
        for (const std::string& violation : counts.violations) {
            out << "violation " << violation << '\n';
        }
        for (const Digests& of_block : digests) {
            out << "digest" << std::hex;
            for (const std::uint64_t digest : of_block) {
                out << ' ' << std::setw(16) << std::setfill('0') << digest;
            }
            out << std::dec << '\n';
        }
        out.flush();
        if (!out) {
            throw std::runtime_error("cannot write " + fresh.string());
        }
    }
    std::filesystem::rename(fresh, path);
}

std::optional<State> State::load(const std::filesystem::path& path) {
    if (!std::filesystem::exists(path)) {
        return std::nullopt;
    }
    std::ifstream in(path);
    std::string line;
    if (!std::getline(in, line) || line != first_line + std::to_string(generation)) {
        throw std::runtime_error(path.string() + " does not hold a state of this generation");
    }
    State state;
    while (std::getline(in, line)) {
        std::istringstream fields(line);
        std::string key;
        fields >> key;
        const auto rest_after = [&](std::int64_t& number) {
            std::string rest;
            fields >> number >> std::ws;
            std::getline(fields, rest);
            return rest;
        };
        std::int64_t number = 0;
        if (key == "level") {
            fields >> state.level;
        } else if (key == "from") {
            fields >> state.from;
        } else if (key == "count") {
            fields >> state.count;
        } else if (key == "next") {
            fields >> state.next;
        } else if (key == "seconds") {
            fields >> state.seconds;
        } else if (key == "cpu_seconds") {
            fields >> state.cpu_seconds;
        } else if (key == "problems") {
            fields >> state.counts.problems;
        } else if (key == "checks") {
            const std::string name = rest_after(number);
            for (std::size_t c = 0; c < n_claims; ++c) {
                state.counts.checks[c] += name == claim_names[c] ? number : 0;
            }
        } else if (key == "family") {
            const std::string name = rest_after(number);
            state.counts.families[name] = number;
        } else if (key == "violation") {
            state.counts.violations.push_back(line.substr(key.size() + 1));
        } else if (key == "digest") {
            Digests& of_block = state.digests.emplace_back();
            for (std::uint64_t& digest : of_block) {
                fields >> std::hex >> digest;
            }
        } else {
            throw std::runtime_error(path.string() + ": what is '" + key + "'?");
        }
    }
    return state;
}

}  // namespace soak
