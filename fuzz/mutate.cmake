# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The structure-aware mutator: a library for libFuzzer and the replayers, a module for AFL++ and a test. It knows
# the targets by name, from mutate-formats.c.
set(MUTATOR_SOURCES mutate.c mutate-model.c mutate-survey.c mutate-values.c mutate-pages.c mutate-generate.c
	mutate-formats.c mutate-dump.c mutate-ikho.c mutate-fdt.c)
set(MUTATOR_INCLUDES "${CMAKE_CURRENT_SOURCE_DIR}" "${PROJECT_SOURCE_DIR}/tools/iommu-kho-dump")

add_library(fuzz-mutate STATIC ${MUTATOR_SOURCES})
target_include_directories(fuzz-mutate PRIVATE ${MUTATOR_INCLUDES})
target_link_libraries(fuzz-mutate PRIVATE iommuser-warnings PUBLIC iommuser ZLIB::ZLIB)
if(IOMMUSER_INSTRUMENT STREQUAL libfuzzer)
	# What the mutator does tells nothing of a target.
	target_compile_options(fuzz-mutate PRIVATE -fno-sanitize=fuzzer-no-link)
endif()

if(IOMMUSER_INSTRUMENT STREQUAL afl)
	# With all it needs in it, whatever those are built like that a target links: the library, and the
	# handovers that restore's edits are relative to.
	get_target_property(library_sources iommuser SOURCES)
	list(TRANSFORM library_sources PREPEND "${PROJECT_SOURCE_DIR}/libiommuser/")
	add_library(fuzz-mutate-afl MODULE mutate-afl.c ${MUTATOR_SOURCES}
		handover.c world.c hardware.c host.c memory.c ${library_sources})
	target_include_directories(fuzz-mutate-afl PRIVATE ${MUTATOR_INCLUDES}
		"${PROJECT_SOURCE_DIR}/include" "${PROJECT_SOURCE_DIR}/libiommuser")
	target_link_libraries(fuzz-mutate-afl PRIVATE iommuser-warnings ZLIB::ZLIB)
endif()

add_iommuser_test(fuzz-mutate-test SOURCES mutate-test.c mutate-afl.c handover.c world.c hardware.c host.c memory.c
	LIBS fuzz-mutate iommuser-internals LABELS fuzz)
if(TARGET fuzz-mutate-test)
	target_include_directories(fuzz-mutate-test PRIVATE ${MUTATOR_INCLUDES})
endif()
