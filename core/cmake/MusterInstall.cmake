# What is installed: headers, libraries, the plugins that are not compiled in,
# pkg-config files and the CMake package "muster".
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/muster)
set(pkgconfig_dir ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
# From a .pc file to the prefix, so that an installation can be moved.
file(RELATIVE_PATH MUSTER_PC_TO_PREFIX /${pkgconfig_dir} /)
string(REGEX REPLACE "/$" "" MUSTER_PC_TO_PREFIX ${MUSTER_PC_TO_PREFIX})

function(muster_install_library target component name)
  # How we compile is no business of those who link.
  get_target_property(libraries ${target} INTERFACE_LINK_LIBRARIES)
  string(REGEX REPLACE "(\\$<LINK_ONLY:muster_flags>|muster_flags)"
    "$<BUILD_INTERFACE:\\1>" libraries "${libraries}")
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${name})
  target_include_directories(${target} INTERFACE
    $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  if(libraries)
    set_target_properties(${target} PROPERTIES
      INTERFACE_LINK_LIBRARIES "${libraries}")
  endif()
  install(TARGETS ${target} EXPORT muster-${component}
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
endfunction()

function(muster_install_component component)
  install(EXPORT muster-${component} NAMESPACE muster::
    DESTINATION ${package_dir})
endfunction()

function(muster_install_pc name)
  configure_file(core/cmake/${name}.pc.in ${name}.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/${name}.pc DESTINATION ${pkgconfig_dir})
endfunction()

set(excluded "")
if(NOT TARGET muster_grpc_shared)
  list(APPEND excluded PATTERN grpc.h EXCLUDE)
endif()
if(NOT TARGET muster_testkit)
  list(APPEND excluded PATTERN testkit.h EXCLUDE)
endif()
install(DIRECTORY include/muster DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
  FILES_MATCHING PATTERN *.h ${excluded})

# muster::headers: all that a plugin needs.
add_library(muster_headers INTERFACE)
target_include_directories(muster_headers INTERFACE
  $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
  $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
set_target_properties(muster_headers PROPERTIES EXPORT_NAME headers)
install(TARGETS muster_headers EXPORT muster-core)

muster_install_library(muster_shared core muster)
muster_install_library(muster_static static static)
muster_install_pc(muster)
if(TARGET muster_grpc_shared)
  muster_install_library(muster_grpc_shared grpc grpc)
  muster_install_library(muster_grpc_static static grpc_static)
  muster_install_component(grpc)
  muster_install_pc(muster-grpc)
endif()
if(TARGET muster_testkit)
  muster_install_library(muster_testkit testkit testkit)
  muster_install_component(testkit)
  muster_install_pc(muster-testkit)
endif()
muster_install_component(core)
muster_install_component(static)

configure_package_config_file(core/cmake/muster-config.cmake.in
  muster-config.cmake INSTALL_DESTINATION ${package_dir}
  NO_CHECK_REQUIRED_COMPONENTS_MACRO)
write_basic_package_version_file(muster-config-version.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES
  ${PROJECT_BINARY_DIR}/muster-config.cmake
  ${PROJECT_BINARY_DIR}/muster-config-version.cmake
  core/cmake/MusterPlugin.cmake core/cmake/plugin.map
  DESTINATION ${package_dir})

foreach(id ${MUSTER_PLUGIN_IDS})
  if(NOT id IN_LIST MUSTER_BUILTIN_PLUGINS)
    install(TARGETS muster_plugin_${id}
      LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/muster)
  endif()
endforeach()
