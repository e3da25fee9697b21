// Precompiled for the tests: beside what every source includes, the test framework.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tools/precompiled.hpp"
