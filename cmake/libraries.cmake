# The libraries behind the modules, found alike by this build and by find_package(ioasim).
# Targets: Threads::Threads, Boost::headers, fmt::fmt, yaml-cpp, CLI11::CLI11,
# nlohmann_json::nlohmann_json, PkgConfig::SYSTEMC.
find_package(Threads REQUIRED)
find_package(Boost 1.74 REQUIRED)
find_package(fmt REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(CLI11 REQUIRED)
find_package(nlohmann_json REQUIRED)

# SystemC has pkg-config files and no CMake package.
find_package(PkgConfig REQUIRED)
if(NOT TARGET PkgConfig::SYSTEMC)
  pkg_check_modules(SYSTEMC REQUIRED IMPORTED_TARGET systemc)
endif()
