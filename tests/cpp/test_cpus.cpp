/// How many threads "all cores" are: what affinity and control groups say, in all of the forms that these have.
#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "check.hpp"
#include "threads/cpus.hpp"

using namespace moverank;
namespace fs = std::filesystem;

namespace {

/// A folder that takes the place of "/", with the files that a test puts there.
class System {
  public:
    System() : root_(fs::temp_directory_path() / ("moverank-" + std::to_string(std::random_device()()))) {}
    System(const System&) = delete;
    System& operator=(const System&) = delete;
    ~System() { fs::remove_all(root_); }

    System& file(const std::string& path, const std::string& text) {
        fs::create_directories((root_ / path).parent_path());
        std::ofstream(root_ / path) << text;
        return *this;
    }
    [[nodiscard]] unsigned cpus() const { return cgroup_cpus(root_); }

  private:
    fs::path root_;
};

constexpr const char* unified = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
constexpr const char* first_version =
    "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n"
    "33 31 0:30 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n"
    "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw shared:15 - cgroup cgroup rw,cpu,cpuacct\n";

}  // namespace

TEST(without_control_groups_there_is_no_limit) {
    CHECK(System().cpus() == 0);
    CHECK(System().file("proc/self/mountinfo", "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n").cpus() == 0);
    CHECK(System().file("proc/self/mountinfo", unified).cpus() == 0);
}

TEST(a_quota_is_rounded_up_to_whole_cpus) {
    const std::vector<std::pair<std::string, unsigned>> cases{
        {"400000 100000", 4}, {"150000 100000", 2}, {"10000 100000", 1}, {"50000 25000", 2}, {"max 100000", 0}, {"", 0},
        {"100000", 0},        {"nonsense", 0},      {"5 0", 0},          {"-1 100000", 0}};
    for (const auto& [text, expected] : cases) {
        System system;
        system.file("proc/self/mountinfo", unified).file("proc/self/cgroup", "0::/\n");
        CHECK(system.file("sys/fs/cgroup/cpu.max", text + "\n").cpus() == expected);
    }
}

TEST(the_least_quota_from_the_own_group_to_the_outermost_counts) {
    System system;
    system.file("proc/self/mountinfo", unified).file("proc/self/cgroup", "1:name=systemd:/x\n0::/pod/app/worker\n");
    system.file("sys/fs/cgroup/pod/app/worker/cpu.max", "max 100000\n");
    CHECK(system.cpus() == 0);
    CHECK(system.file("sys/fs/cgroup/pod/cpu.max", "300000 100000\n").cpus() == 3);
    CHECK(system.file("sys/fs/cgroup/pod/app/cpu.max", "500000 100000\n").cpus() == 3);
    CHECK(system.file("sys/fs/cgroup/pod/app/worker/cpu.max", "200000 100000\n").cpus() == 2);
    CHECK(system.file("sys/fs/cgroup/pod/other/cpu.max", "100000 100000\n").cpus() == 2);
}

TEST(the_first_version_of_control_groups_counts_as_well) {
    System system;
    system.file("proc/self/mountinfo", first_version).file("proc/self/cgroup", "5:cpuset:/far\n4:cpu,cpuacct:/job/1\n");
    system.file("sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_quota_us", "-1\n");
    system.file("sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_period_us", "100000\n");
    CHECK(system.cpus() == 0);
    system.file("sys/fs/cgroup/cpu,cpuacct/job/1/cpu.cfs_quota_us", "250000\n");
    system.file("sys/fs/cgroup/cpu,cpuacct/job/1/cpu.cfs_period_us", "100000\n");
    CHECK(system.cpus() == 3);
    system.file("sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_quota_us", "50000\n");
    CHECK(system.cpus() == 1);
}

TEST(a_container_sees_its_own_group_at_the_mount_point) {
    // By the name that it has outside, and where a namespace hides that.
    for (const std::string own : {"/docker/1f", "/docker/1f/inner", "/../elsewhere", "/unknown"}) {
        System system;
        system.file("proc/self/mountinfo", "31 23 0:28 /docker/1f /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu\n");
        system.file("proc/self/cgroup", "3:cpu:" + own + "\n");
        system.file("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "200000\n");
        system.file("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
        CHECK(system.cpus() == 2);
        system.file("sys/fs/cgroup/cpu/inner/cpu.cfs_quota_us", "100000\n");
        system.file("sys/fs/cgroup/cpu/inner/cpu.cfs_period_us", "100000\n");
        CHECK(system.cpus() == (own == "/docker/1f/inner" ? 1 : 2));
    }
}

TEST(both_versions_side_by_side_are_read) {
    System system;
    system.file("proc/self/mountinfo",
                std::string(first_version).append("41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"));
    system.file("proc/self/cgroup", "4:cpu,cpuacct:/\n0::/slice\n");
    system.file("sys/fs/cgroup/unified/slice/cpu.max", "200000 100000\n");
    CHECK(system.cpus() == 2);
}

TEST(cpus_that_the_scheduler_allows_are_counted) {
    CHECK(affinity_cpus([](std::size_t, unsigned long* bits) {
              bits[0] = 0b1011;
              bits[3] = 1;
              return 0;
          }) == 4);
}

TEST(a_machine_of_more_cpus_than_a_usual_set_can_name_is_asked_again) {
    int asked = 0;
    const auto ask = [&](std::size_t n_bytes, unsigned long* bits) {
        ++asked;
        if (n_bytes < 5000 / 8) {
            return EINVAL;
        }
        std::fill_n(bits, 4500 / 64, ~0UL);
        return 0;
    };
    CHECK(affinity_cpus(ask) == 4500 / 64 * 64);
    CHECK(asked == 4);
}

TEST(where_nothing_can_be_asked_there_is_at_least_one) {
    for (const int fault : {EINVAL, ENOSYS, EPERM}) {
        CHECK(affinity_cpus([fault](std::size_t, unsigned long*) { return fault; }) >= 1);
    }
    CHECK(usable_cpus() >= 1);
}
