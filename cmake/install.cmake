# cmake --install puts everything where Debian expects it (with the prefix /usr, as in the preset
# "release"). systemd, sysusers and tmpfiles read the same folders below /usr/local.

# Debian has another taskd: nothing outside of libexec is called so. People type "taskctl daemon".
install(TARGETS taskctl RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(TARGETS taskd taskd-shim RUNTIME DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/taskctl)
install(PROGRAMS systemd/taskctl-jobs.sh DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/taskctl
        RENAME taskctl-jobs)

# The units lie in the sources as Debian has them; another prefix is put in here.
function(taskd_install_units folder destination)
  file(GLOB units CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${folder}/*.service
       ${PROJECT_SOURCE_DIR}/${folder}/*.socket)
  foreach(unit IN LISTS units)
    file(READ ${unit} text)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${unit})
    string(REPLACE "=/usr/bin/" "=${CMAKE_INSTALL_FULL_BINDIR}/" text "${text}")
    string(REPLACE "=/usr/libexec/" "=${CMAKE_INSTALL_FULL_LIBEXECDIR}/" text "${text}")
    get_filename_component(name ${unit} NAME)
    # file(CONFIGURE) would read ${…} and @…@ in the units as its own.
    file(GENERATE OUTPUT ${PROJECT_BINARY_DIR}/${folder}/${name} CONTENT "${text}")
    install(FILES ${PROJECT_BINARY_DIR}/${folder}/${name} DESTINATION ${destination})
  endforeach()
endfunction()

# Not CMAKE_INSTALL_LIBDIR: that has the architecture in it.
taskd_install_units(systemd lib/systemd/system)
taskd_install_units(systemd/user lib/systemd/user)
install(FILES systemd/taskctl.sysusers DESTINATION lib/sysusers.d RENAME taskctl.conf)
install(FILES systemd/taskctl.tmpfiles DESTINATION lib/tmpfiles.d RENAME taskctl.conf)

install(FILES docs/man/taskctl-daemon.8 DESTINATION ${CMAKE_INSTALL_MANDIR}/man8)
install(FILES docs/man/taskctl.toml.5 DESTINATION ${CMAKE_INSTALL_MANDIR}/man5)
if(EXISTS ${PROJECT_SOURCE_DIR}/docs/man/taskctl.1)
  install(FILES docs/man/taskctl.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
endif()

set(documents ${CMAKE_INSTALL_DATADIR}/doc/taskctl)
file(GLOB papers CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/README.md
     ${PROJECT_SOURCE_DIR}/CHANGELOG.md ${PROJECT_SOURCE_DIR}/daemon/DESIGN.md
     ${PROJECT_SOURCE_DIR}/docs/GUIDE.md
     ${PROJECT_SOURCE_DIR}/daemon/api/API.md)
install(FILES ${papers} DESTINATION ${documents})
install(FILES LICENSE DESTINATION ${documents} RENAME copyright)
install(FILES examples/taskctl.toml DESTINATION ${documents}/examples)
install(PROGRAMS examples/hooks/sendmail DESTINATION ${documents}/examples/hooks)
