# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# find_package(iommuser): the target iommuser::iommuser. The library depends on nothing.
include("${CMAKE_CURRENT_LIST_DIR}/iommuser-targets.cmake")
