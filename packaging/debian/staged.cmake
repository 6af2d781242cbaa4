# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# What Debian's policy wants of the trees that CPack has staged: manual pages and changelog compressed, libraries
# without debug information.
file(GLOB_RECURSE files
	"${CPACK_TEMPORARY_DIRECTORY}/*/usr/share/man/*.[0-9]"
	"${CPACK_TEMPORARY_DIRECTORY}/*/usr/share/doc/*/changelog")
foreach(file IN LISTS files)
	execute_process(COMMAND gzip -9n "${file}" COMMAND_ERROR_IS_FATAL ANY)
endforeach()

file(GLOB_RECURSE libraries "${CPACK_TEMPORARY_DIRECTORY}/*/usr/lib/*.a")
file(GLOB programs "${CPACK_TEMPORARY_DIRECTORY}/*/usr/bin/*")
foreach(file IN LISTS libraries)
	execute_process(COMMAND strip --strip-debug --enable-deterministic-archives "${file}"
		COMMAND_ERROR_IS_FATAL ANY)
endforeach()
foreach(file IN LISTS libraries programs)
	execute_process(COMMAND strip --remove-section=.comment --remove-section=.note "${file}"
		COMMAND_ERROR_IS_FATAL ANY)
endforeach()
