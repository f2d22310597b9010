/// A test framework of one page: named claims, checks that go on after a failure, a closing count.
#pragma once

#include <cmath>
#include <functional>
#include <iostream>
#include <string>
#include <vector>

namespace check {

struct Test {
    std::string name;
    std::function<void()> body;
};

inline std::vector<Test>& tests() {
    static std::vector<Test> all;
    return all;
}

struct Registration {
    Registration(std::string name, std::function<void()> body) {
        tests().push_back({std::move(name), std::move(body)});
    }
};

/// Failed checks of the running test.
inline int& failures() {
    static int count = 0;
    return count;
}

inline void report(const char* file, int line, const std::string& what) {
    ++failures();
    if (failures() <= 10) {  // a broken loop need not fill the log
        std::cerr << file << ":" << line << ": " << what << "\n";
    }
}

}  // namespace check

#define TEST(name)                                                     \
    static void name();                                                \
    static const check::Registration name##_registration(#name, name); \
    static void name()

#define CHECK(expression)                                   \
    do {                                                    \
        if (!(expression))                                  \
            check::report(__FILE__, __LINE__, #expression); \
    } while (false)

#define CHECK_NEAR(actual, expected, tolerance)                                                                 \
    do {                                                                                                        \
        const double actual_ = (actual);                                                                        \
        const double expected_ = (expected);                                                                    \
        if (!(std::abs(actual_ - expected_) <= (tolerance)))                                                    \
            check::report(__FILE__, __LINE__,                                                                   \
                          #actual " = " + std::to_string(actual_) + ", expected " + std::to_string(expected_)); \
    } while (false)

#define CHECK_THROWS_AS(expression, type)                                            \
    do {                                                                             \
        bool thrown_ = false;                                                        \
        try {                                                                        \
            (void)(expression);                                                      \
        } catch (const type&) {                                                      \
            thrown_ = true;                                                          \
        }                                                                            \
        if (!thrown_)                                                                \
            check::report(__FILE__, __LINE__, #expression " does not throw " #type); \
    } while (false)

#define CHECK_THROWS_SAYING(expression, type, message)                                              \
    do {                                                                                            \
        std::string said_ = "nothing";                                                              \
        try {                                                                                       \
            (void)(expression);                                                                     \
        } catch (const type& error) {                                                               \
            said_ = error.what();                                                                   \
        }                                                                                           \
        if (said_ != (message))                                                                     \
            check::report(__FILE__, __LINE__, #expression " says " + said_ + ", not " + (message)); \
    } while (false)
