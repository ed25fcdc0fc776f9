# find_package(ioasim) gives ioasim::<module> for each module and ioasim_MODULES, their names.
include(CMakePackageConfigHelpers)

set(config_dir ${CMAKE_INSTALL_LIBDIR}/cmake/ioasim)
get_property(ioasim_modules GLOBAL PROPERTY ioasim_modules)

configure_package_config_file(cmake/ioasimConfig.cmake.in ${PROJECT_BINARY_DIR}/ioasimConfig.cmake
                              INSTALL_DESTINATION ${config_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/ioasimConfigVersion.cmake
                                 COMPATIBILITY SameMinorVersion)

install(EXPORT ioasim NAMESPACE ioasim:: FILE ioasimTargets.cmake DESTINATION ${config_dir})
install(FILES ${PROJECT_BINARY_DIR}/ioasimConfig.cmake
              ${PROJECT_BINARY_DIR}/ioasimConfigVersion.cmake
              cmake/libraries.cmake
        DESTINATION ${config_dir})
install(DIRECTORY platforms/ DESTINATION ${CMAKE_INSTALL_DATADIR}/ioasim/platforms
        FILES_MATCHING PATTERN "*.yaml" REGEX "/platforms/[^/.]+$" EXCLUDE)
