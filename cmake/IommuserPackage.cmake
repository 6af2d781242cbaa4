# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Debian packages by CPack, one a component: configure with the preset "package", then cpack -G DEB.
# iommu-kho-dump is the tool, libiommuser-dev the library.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME iommuser)
set(CPACK_PACKAGE_VENDOR "the iommuser developers")
set(CPACK_PACKAGE_CONTACT "iommuser developers <developers@iommuser.invalid>")
# Each package has its own, as the first line of its description.
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "")
set(CPACK_RESOURCE_FILE_LICENSE "${PROJECT_SOURCE_DIR}/COPYING")
set(CPACK_PACKAGE_CHECKSUM SHA256)
set(CPACK_STRIP_FILES ON)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_COMPONENTS_ALL tool dev)

set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_TOOL_PACKAGE_NAME iommu-kho-dump)
set(CPACK_DEBIAN_TOOL_PACKAGE_SECTION admin)
set(CPACK_DEBIAN_TOOL_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_TOOL_PACKAGE_SUGGESTS "bash-completion, graphviz")
set(CPACK_DEBIAN_TOOL_PACKAGE_CONTROL_EXTRA
	"${PROJECT_SOURCE_DIR}/packaging/debian/postinst;${PROJECT_SOURCE_DIR}/packaging/debian/postrm")
set(CPACK_DEBIAN_TOOL_DESCRIPTION
"show and verify what a Linux live update hands over
iommu-kho-dump reads memory images, portable images and running hosts, and
shows what one kernel hands to the next: Kexec HandOver's memory, the sessions
of the live update orchestrator, IOMMU state, and the Intel VT-d tables that
devices go on using. It verifies them before the jump, and names what is wrong
under stable codes, with what to do.")
set(CPACK_DEBIAN_DEV_PACKAGE_NAME libiommuser-dev)
set(CPACK_DEBIAN_DEV_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEV_DESCRIPTION
"IOMMU state across a Linux live update - library
A freestanding C library that defines, writes, reads, verifies and restores
the records of preserved IOMMUs, domains and devices, and walks the tables of
Intel VT-d. It needs no libc and does not allocate.
.
This package holds the static library, its headers, and files for CMake and
pkg-config.")

# The date follows SOURCE_DATE_EPOCH.
string(TIMESTAMP changelog_date "%a, %d %b %Y %H:%M:%S +0000" UTC)
configure_file("${PROJECT_SOURCE_DIR}/packaging/debian/changelog.in" "${PROJECT_BINARY_DIR}/changelog" @ONLY)
foreach(component tool dev)
	install(FILES "${PROJECT_BINARY_DIR}/changelog"
		DESTINATION "${${component}_doc}" COMPONENT ${component} EXCLUDE_FROM_ALL)
endforeach()
set(CPACK_PRE_BUILD_SCRIPTS "${PROJECT_SOURCE_DIR}/packaging/debian/staged.cmake")
include(CPack)
