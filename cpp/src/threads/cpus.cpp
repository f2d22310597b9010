#include "cpus.hpp"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <numeric>
#include <optional>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#ifdef __linux__
#include <sched.h>
#endif

namespace moverank {

namespace {

namespace fs = std::filesystem;

constexpr unsigned unlimited_cpus = std::numeric_limits<unsigned>::max();

/// A mounted hierarchy of control groups that can limit CPU time.
struct Hierarchy {
    bool is_unified;  ///< version 2
    fs::path group;
    fs::path point;
};

[[nodiscard]] bool lists(const std::string& names, const std::string& wanted) {
    return ("," + names + ",").find("," + wanted + ",") != std::string::npos;
}

/// From lines such as "31 23 0:28 /docker/1f /sys/fs/cgroup/cpu rw shared:9 - cgroup cgroup rw,cpu".
[[nodiscard]] std::vector<Hierarchy> hierarchies(const fs::path& root) {
    std::vector<Hierarchy> found;
    std::ifstream file(root / "proc/self/mountinfo");
    for (std::string line; std::getline(file, line);) {
        std::istringstream words(line);
        std::string skipped, group, point, type, options;
        words >> skipped >> skipped >> skipped >> group >> point;
        while (words >> skipped && skipped != "-") {
        }
        words >> type >> skipped >> options;
        const bool is_unified = type == "cgroup2";
        if (words && (is_unified || (type == "cgroup" && lists(options, "cpu")))) {
            found.push_back({is_unified, group, root / fs::path(point).relative_path()});
        }
    }
    return found;
}

/// The process's own group of a hierarchy, from lines such as "4:cpu,cpuacct:/user/7" and "0::/user/7".
[[nodiscard]] std::optional<fs::path> own_group(const fs::path& root, bool is_unified) {
    std::ifstream file(root / "proc/self/cgroup");
    for (std::string line; std::getline(file, line);) {
        std::istringstream words(line);
        std::string number, controllers, group;
        std::getline(std::getline(words, number, ':'), controllers, ':');
        std::getline(words, group);
        if (is_unified ? number == "0" && controllers.empty() : lists(controllers, "cpu")) {
            return group;
        }
    }
    return {};
}

/// The number of CPUs that one group may use, rounded up; no limit if a file is missing or has none.
[[nodiscard]] unsigned quota_of(const Hierarchy& hierarchy, const fs::path& folder) {
    std::string quota;  // a number of microseconds, "max" or "-1"
    double period = 0.0;
    if (hierarchy.is_unified) {
        std::ifstream(folder / "cpu.max") >> quota >> period;
    } else {
        std::ifstream(folder / "cpu.cfs_quota_us") >> quota;
        std::ifstream(folder / "cpu.cfs_period_us") >> period;
    }
    const double cpus = std::strtod(quota.c_str(), nullptr) / period;
    return cpus > 0.0 && cpus < 1e6 ? static_cast<unsigned>(std::ceil(cpus)) : unlimited_cpus;
}

[[nodiscard]] unsigned system_affinity() {
#ifdef __linux__
    return affinity_cpus([](std::size_t n_bytes, unsigned long* bits) {
        return sched_getaffinity(0, n_bytes, reinterpret_cast<cpu_set_t*>(bits)) == 0 ? 0 : errno;
    });
#else
    return std::max(1U, std::thread::hardware_concurrency());
#endif
}

}  // namespace

unsigned cgroup_cpus(const fs::path& root) {
    unsigned least = unlimited_cpus;
    for (const Hierarchy& hierarchy : hierarchies(root)) {
        const std::optional<fs::path> own = own_group(root, hierarchy.is_unified);
        // In a container, the name of the process's own group may be one of the host, which is not visible here. The
        // mount point is then the group itself.
        fs::path below = own ? own->lexically_relative(hierarchy.group) : fs::path();
        if (!below.empty() && *below.begin() == "..") {
            below.clear();
        }
        // Every group up to the mount point may have a quota; the least counts.
        for (; !below.empty() && below != "."; below = below.parent_path()) {
            least = std::min(least, quota_of(hierarchy, hierarchy.point / below));
        }
        least = std::min(least, quota_of(hierarchy, hierarchy.point));
    }
    return least == unlimited_cpus ? 0 : least;
}

unsigned affinity_cpus(const AskAffinity& ask) {
    constexpr std::size_t max_cpus = std::size_t{1} << 20U;
    constexpr std::size_t bits_per_word = 8 * sizeof(unsigned long);
    for (std::size_t n_cpus = 1024; n_cpus <= max_cpus; n_cpus *= 2) {
        std::vector<unsigned long> bits(n_cpus / bits_per_word);
        const int fault = ask(bits.size() * sizeof(unsigned long), bits.data());
        if (fault == 0) {
            const int count = std::accumulate(bits.begin(), bits.end(), 0,
                                              [](int sum, unsigned long word) { return sum + std::popcount(word); });
            return static_cast<unsigned>(std::max(count, 1));
        }
        if (fault != EINVAL) {  // EINVAL: the set is too small for this machine
            break;
        }
    }
    return std::max(1U, std::thread::hardware_concurrency());
}

unsigned usable_cpus() {
    // One search asks several times, and limits of a running process change: files are read again after a second.
    using Clock = std::chrono::steady_clock;
    static std::atomic<unsigned> granted{0};
    static std::atomic<Clock::rep> valid_until{std::numeric_limits<Clock::rep>::min()};
    const Clock::time_point now = Clock::now();
    if (now.time_since_epoch().count() >= valid_until.load(std::memory_order_acquire)) {
        granted.store(cgroup_cpus("/"), std::memory_order_relaxed);
        valid_until.store((now + std::chrono::seconds(1)).time_since_epoch().count(), std::memory_order_release);
    }
    const unsigned by_group = granted.load(std::memory_order_relaxed);
    const unsigned by_affinity = system_affinity();
    return by_group == 0 ? by_affinity : std::min(by_affinity, by_group);
}

}  // namespace moverank
