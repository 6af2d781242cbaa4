# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Instrumentation of everything that is compiled: sanitizers, the coverage that fuzz engines and reports read.
set(IOMMUSER_FUZZ_ENGINE libfuzzer CACHE STRING "With IOMMUSER_FUZZ: what the fuzz targets are built for")
set(IOMMUSER_FUZZ_ENGINES
	libfuzzer	# clang's
	afl		# AFL++; the compiler is afl-clang-fast
	coverage	# none: replayers that count what they reach
	none)		# replayers alone
set_property(CACHE IOMMUSER_FUZZ_ENGINE PROPERTY STRINGS ${IOMMUSER_FUZZ_ENGINES})
if(NOT IOMMUSER_FUZZ_ENGINE IN_LIST IOMMUSER_FUZZ_ENGINES)
	message(FATAL_ERROR "IOMMUSER_FUZZ_ENGINE is one of ${IOMMUSER_FUZZ_ENGINES}, not ${IOMMUSER_FUZZ_ENGINE}")
endif()
if(NOT IOMMUSER_FUZZ OR IOMMUSER_FUZZ_ENGINE STREQUAL none)
	set(IOMMUSER_INSTRUMENT "")
else()
	set(IOMMUSER_INSTRUMENT ${IOMMUSER_FUZZ_ENGINE})
endif()
if(IOMMUSER_INSTRUMENT AND NOT CMAKE_C_COMPILER_ID MATCHES "Clang")
	message(FATAL_ERROR "${IOMMUSER_INSTRUMENT} needs clang: the presets fuzz, fuzz-afl and coverage set CMAKE_C_COMPILER")
endif()

if(IOMMUSER_SANITIZE)
	add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
	add_link_options(-fsanitize=address,undefined)
endif()
if(IOMMUSER_INSTRUMENT STREQUAL libfuzzer)
	add_compile_options(-fsanitize=fuzzer-no-link)
elseif(IOMMUSER_INSTRUMENT STREQUAL coverage)
	add_compile_options(-fprofile-instr-generate -fcoverage-mapping)
	add_link_options(-fprofile-instr-generate)
endif()

# iommuser_untraced_comparisons(TARGET)
# libFuzzer is not told what is compared in it, which would take more than half of the time: what the library compares
# with is known to the mutator, which changes fields and seals pages again.
function(iommuser_untraced_comparisons target)
	if(IOMMUSER_INSTRUMENT STREQUAL libfuzzer)
		target_compile_options(${target} PRIVATE -fno-sanitize-coverage=trace-cmp)
	endif()
endfunction()

# add_iommuser_fuzzer(NAME SOURCES file... [LIBS target...])
# afl-clang-fast takes the same option, and links AFL++'s own driver: persistent, input in shared memory.
function(add_iommuser_fuzzer name)
	cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LIBS")
	add_executable(${name} ${arg_SOURCES})
	target_link_libraries(${name} PRIVATE iommuser-warnings ${arg_LIBS})
	target_link_options(${name} PRIVATE -fsanitize=fuzzer)
endfunction()
