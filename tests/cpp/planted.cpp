/// One fault of each kind that sanitizers look for: a sanitizer that does not see its own is not at work.
#include <cstdio>
#include <string_view>
#include <thread>

namespace {

int* volatile kept;  // so that no compiler knows how much is behind it

void overflow() {
    kept = new int[8]{};
    std::printf("%d\n", kept[8]);
    delete[] kept;
}

void leak() {
    kept = new int[8];
    kept = nullptr;
}

void shift() {
    volatile int places = 40;
    std::printf("%d\n", 1 << places);
}

void race() {
    int shared = 0;
    const auto count = [&shared] {
        for (int n = 0; n < 1000; ++n) {
            ++shared;
        }
    };
    std::thread other(count);
    count();
    other.join();
    std::printf("%d\n", shared);
}

}  // namespace

int main(int, char** arguments) {
    const std::string_view fault = arguments[1];
    (fault == "overflow" ? overflow : fault == "leak" ? leak : fault == "shift" ? shift : race)();
}
