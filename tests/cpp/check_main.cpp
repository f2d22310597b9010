#include <exception>
#include <iostream>
#include <string>

#include "check.hpp"

/// Run all tests of this executable, or those whose names contain one of the arguments.
int main(int argc, char** argv) {
    const auto is_asked_for = [&](const std::string& name) {
        for (int k = 1; k < argc; ++k) {
            if (name.find(argv[k]) != std::string::npos) {
                return true;
            }
        }
        return argc == 1;
    };
    int passed = 0;
    int failed = 0;
    for (const check::Test& test : check::tests()) {
        if (!is_asked_for(test.name)) {
            continue;
        }
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
    // A name that no test has is a mistake, and no success.
    return failed == 0 && passed > 0 ? 0 : 1;
}
