# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# What "cmake --install" installs. Component tool: the tool, and what belongs to it; dev: the library.
include(CMakePackageConfigHelpers)

set(tool_doc "${CMAKE_INSTALL_DATAROOTDIR}/doc/iommu-kho-dump")
set(dev_doc "${CMAKE_INSTALL_DATAROOTDIR}/doc/libiommuser-dev")
set(cmake_package "${CMAKE_INSTALL_LIBDIR}/cmake/iommuser")
set(pkgconfig_directory "${CMAKE_INSTALL_LIBDIR}/pkgconfig")

install(TARGETS iommuser EXPORT iommuser-targets
	ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT dev)
install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
	COMPONENT dev FILES_MATCHING PATTERN "*.h")

install(EXPORT iommuser-targets NAMESPACE iommuser:: DESTINATION "${cmake_package}" COMPONENT dev)
write_basic_package_version_file("${PROJECT_BINARY_DIR}/iommuser-config-version.cmake"
	COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_SOURCE_DIR}/cmake/iommuser-config.cmake"
	"${PROJECT_BINARY_DIR}/iommuser-config-version.cmake"
	DESTINATION "${cmake_package}" COMPONENT dev)

# Below the prefix the file finds the rest from where it lies itself, so that the tree can be moved.
set(pc_prefix "${CMAKE_INSTALL_PREFIX}")
if(NOT IS_ABSOLUTE "${pkgconfig_directory}")
	file(RELATIVE_PATH up "/prefix/${pkgconfig_directory}" "/prefix")
	string(REGEX REPLACE "/$" "" up "${up}")
	set(pc_prefix "\${pcfiledir}/${up}")
endif()
foreach(which INCLUDE LIB)
	set(pc_${which} "\${prefix}/${CMAKE_INSTALL_${which}DIR}")
	if(IS_ABSOLUTE "${CMAKE_INSTALL_${which}DIR}")
		set(pc_${which} "${CMAKE_INSTALL_${which}DIR}")
	endif()
endforeach()
configure_file("${PROJECT_SOURCE_DIR}/cmake/iommuser.pc.in" "${PROJECT_BINARY_DIR}/iommuser.pc" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/iommuser.pc" DESTINATION "${pkgconfig_directory}" COMPONENT dev)
install(FILES "${PROJECT_SOURCE_DIR}/packaging/debian/copyright" "${PROJECT_SOURCE_DIR}/docs/format.md"
	DESTINATION "${dev_doc}" COMPONENT dev)

if(IOMMUSER_FREESTANDING)
	return()
endif()

install(TARGETS iommu-kho-dump RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}" COMPONENT tool)
foreach(section 1 5)
	file(GLOB pages CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/man/*.${section}")
	install(FILES ${pages} DESTINATION "${CMAKE_INSTALL_MANDIR}/man${section}" COMPONENT tool)
endforeach()
install(FILES "${PROJECT_SOURCE_DIR}/packaging/completion/iommu-kho-dump"
	DESTINATION "${CMAKE_INSTALL_DATAROOTDIR}/bash-completion/completions" COMPONENT tool)
file(GLOB units CONFIGURE_DEPENDS
	"${PROJECT_SOURCE_DIR}/packaging/systemd/*.service"
	"${PROJECT_SOURCE_DIR}/packaging/systemd/*.timer"
	"${PROJECT_SOURCE_DIR}/packaging/systemd/*.path")
install(FILES ${units} DESTINATION lib/systemd/system COMPONENT tool)
file(GLOB schemas CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/docs/*.schema.json")
install(FILES ${schemas} DESTINATION "${CMAKE_INSTALL_DATADIR}/iommuser" COMPONENT tool)
# What somebody on call wants to have without a network.
install(FILES "${PROJECT_SOURCE_DIR}/packaging/debian/copyright"
	"${PROJECT_SOURCE_DIR}/docs/capture.md"
	"${PROJECT_SOURCE_DIR}/docs/findings.md"
	DESTINATION "${tool_doc}" COMPONENT tool)
