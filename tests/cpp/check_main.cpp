#include <exception>
#include <iostream>

#include "check.hpp"

int main() {
    int passed = 0;
    int failed = 0;
    for (const check::Test& test : check::tests()) {
        check::failures() = 0;
        try {
            test.body();
        } catch (const std::exception& error) {
            check::report(test.name.c_str(), 0, std::string("threw ") + error.what());
        }
        if (check::failures() == 0) {
            ++passed;
        } else {
            ++failed;
            std::cerr << "FAILED " << test.name << "\n";
        }
    }
    std::cout << passed << " passed, " << failed << " failed\n";
    return failed == 0 ? 0 : 1;
}
