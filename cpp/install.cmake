# What `cmake --install` gives C++ programs: the headers, the library, the .proto files, and the
# package that find_package(drawstore) finds. None of it goes into the wheel.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/drawstore)
set(protobufs_dir ${CMAKE_INSTALL_DATADIR}/drawstore/protobufs)

install(TARGETS drawstore EXPORT drawstore ARCHIVE COMPONENT library)
install(DIRECTORY include/drawstore TYPE INCLUDE COMPONENT library)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/protobufs/ DESTINATION ${protobufs_dir} COMPONENT library
        FILES_MATCHING PATTERN "*.proto")
install(EXPORT drawstore NAMESPACE drawstore:: FILE drawstoreTargets.cmake
        DESTINATION ${package_dir} COMPONENT library)

configure_package_config_file(drawstoreConfig.cmake.in drawstoreConfig.cmake
                              INSTALL_DESTINATION ${package_dir} PATH_VARS protobufs_dir)
write_basic_package_version_file(drawstoreConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/drawstoreConfig.cmake
              ${CMAKE_CURRENT_BINARY_DIR}/drawstoreConfigVersion.cmake
        DESTINATION ${package_dir} COMPONENT library)
