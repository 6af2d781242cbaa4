# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The warnings that all code here is clean under, with gcc and with clang.
include(CheckCCompilerFlag)

set(IOMMUSER_WARNING_FLAGS
	-Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition
	-Wunused -Wcast-qual -Wmissing-declarations -Wwrite-strings -Wpointer-arith -Wundef -Wvla
	-Wformat=2 -Wnested-externs -Wredundant-decls -Wimplicit-fallthrough
	# Beyond -Wextra, what the kernel's W=1 turns on.
	-Wmissing-include-dirs -Wunused-const-variable -Wunused-but-set-variable
	-Wmissing-format-attribute -Wformat-overflow -Wformat-truncation -Wstringop-truncation
	-Wpacked-not-aligned -Wrestrict)

add_library(iommuser-warnings INTERFACE)
foreach(flag IN LISTS IOMMUSER_WARNING_FLAGS)
	string(MAKE_C_IDENTIFIER "IOMMUSER_HAS${flag}" variable)
	# clang accepts unknown -W flags with a warning only.
	set(CMAKE_REQUIRED_FLAGS -Werror)
	check_c_compiler_flag(${flag} ${variable})
	unset(CMAKE_REQUIRED_FLAGS)
	if(${variable})
		target_compile_options(iommuser-warnings INTERFACE ${flag})
	endif()
endforeach()
if(IOMMUSER_WERROR)
	target_compile_options(iommuser-warnings INTERFACE -Werror)
endif()
