# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Instrumentation of everything that is compiled: sanitizers, fuzzer coverage.
if(IOMMUSER_FUZZ AND NOT CMAKE_C_COMPILER_ID MATCHES "Clang")
	message(FATAL_ERROR "IOMMUSER_FUZZ needs clang: the fuzz preset sets CMAKE_C_COMPILER")
endif()

if(IOMMUSER_SANITIZE)
	add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
	add_link_options(-fsanitize=address,undefined)
endif()
if(IOMMUSER_FUZZ)
	add_compile_options(-fsanitize=fuzzer-no-link)
endif()

# add_iommuser_fuzzer(NAME SOURCES file... [LIBS target...])
function(add_iommuser_fuzzer name)
	cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LIBS")
	add_executable(${name} ${arg_SOURCES})
	target_link_libraries(${name} PRIVATE iommuser-warnings ${arg_LIBS})
	target_link_options(${name} PRIVATE -fsanitize=fuzzer)
endfunction()
