/// How many CPUs this process may use: what "all cores" means.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>

namespace moverank {

/// CPUs that the process may use at this time, at least 1: those of the scheduler, and no more than control groups
/// grant.
[[nodiscard]] unsigned usable_cpus();

/// The CPUs whose time Linux control groups grant, of either version: the least that the group of the process and those
/// around it have as a quota, rounded up; 0 if none has any. `root` stands for "/".
[[nodiscard]] unsigned cgroup_cpus(const std::filesystem::path& root);

/// Writes the CPUs that a process may run on as bits, into so many bytes; 0, or what sched_getaffinity fails with.
using AskAffinity = std::function<int(std::size_t n_bytes, unsigned long* bits)>;

/// The CPUs that the scheduler may put the process on. Machines may have more than a set of the usual size can name.
[[nodiscard]] unsigned affinity_cpus(const AskAffinity& ask);

}  // namespace moverank
