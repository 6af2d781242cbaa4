# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# One line per test. Exit status 77 of a test means "skipped"; what it prints last says why.
set(IOMMUSER_TEST_TIMEOUT 400)

# iommuser_test_properties(NAME [LABELS label...] [TIMEOUT seconds])
function(iommuser_test_properties name)
	cmake_parse_arguments(PARSE_ARGV 1 arg "" "TIMEOUT" "LABELS")
	if(NOT arg_TIMEOUT)
		set(arg_TIMEOUT ${IOMMUSER_TEST_TIMEOUT})
	endif()
	set_tests_properties(${name} PROPERTIES
		LABELS "${arg_LABELS}" TIMEOUT ${arg_TIMEOUT} SKIP_RETURN_CODE 77)
endfunction()

# add_iommuser_test(NAME SOURCES file... [LIBS target...] [LABELS label...] [ARGS word...] [TIMEOUT seconds])
# A CMocka program. It finds files of the source tree below IOMMUSER_SOURCE_DIR. LIBS: iommuser,
# iommuser-internals (the library with its private headers) or kho-dump (the tool without main).
function(add_iommuser_test name)
	cmake_parse_arguments(PARSE_ARGV 1 arg "" "TIMEOUT" "SOURCES;LIBS;LABELS;ARGS")
	if(NOT BUILD_TESTING)
		return()
	endif()
	add_executable(${name} ${arg_SOURCES})
	target_compile_definitions(${name} PRIVATE "IOMMUSER_SOURCE_DIR=\"${PROJECT_SOURCE_DIR}\"")
	target_link_libraries(${name} PRIVATE iommuser-warnings ${arg_LIBS} PkgConfig::CMOCKA)
	add_test(NAME ${name} COMMAND ${name} ${arg_ARGS})
	iommuser_test_properties(${name} LABELS ${arg_LABELS} TIMEOUT ${arg_TIMEOUT})
endfunction()

# add_iommuser_script_test(NAME COMMAND word... [LABELS label...] [TIMEOUT seconds])
# Any command, run in the source directory. $IOMMU_KHO_DUMP is the tool that was built.
function(add_iommuser_script_test name)
	cmake_parse_arguments(PARSE_ARGV 1 arg "" "TIMEOUT" "COMMAND;LABELS")
	add_test(NAME ${name} COMMAND ${arg_COMMAND} WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}")
	iommuser_test_properties(${name} LABELS ${arg_LABELS} TIMEOUT ${arg_TIMEOUT})
	if(TARGET iommu-kho-dump)
		set_tests_properties(${name} PROPERTIES
			ENVIRONMENT "IOMMU_KHO_DUMP=$<TARGET_FILE:iommu-kho-dump>")
	endif()
endfunction()

# add_iommuser_cli_test(NAME COMMAND word... [LABELS label...] [TIMEOUT seconds] [VALGRIND_BY_NAME])
# A script test that runs the tool as "$IOMMU_KHO_DUMP"; it is registered a second time, as
# NAME-valgrind with the label valgrind, with each run of the tool under valgrind. With VALGRIND_BY_NAME that label
# is valgrind-more, which takes long and runs on request.
function(add_iommuser_cli_test name)
	cmake_parse_arguments(PARSE_ARGV 1 arg "VALGRIND_BY_NAME" "TIMEOUT" "COMMAND;LABELS")
	add_iommuser_script_test(${name}
		COMMAND ${arg_COMMAND} LABELS ${arg_LABELS} TIMEOUT ${arg_TIMEOUT})
	set(label valgrind)
	if(arg_VALGRIND_BY_NAME)
		set(label valgrind-more)
	endif()
	if(NOT IOMMUSER_SANITIZE)
		add_iommuser_script_test(${name}-valgrind
			COMMAND ${arg_COMMAND} LABELS ${label} TIMEOUT 600)
		set_tests_properties(${name}-valgrind PROPERTIES ENVIRONMENT
			"IOMMU_KHO_DUMP=${PROJECT_SOURCE_DIR}/tests/valgrind.sh;IOMMU_KHO_DUMP_PROGRAM=$<TARGET_FILE:iommu-kho-dump>")
	endif()
endfunction()
