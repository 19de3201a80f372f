# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Writes OUT: page.html with the files that it links to inside.
set(folder "${CMAKE_CURRENT_LIST_DIR}")
file(READ "${folder}/page.html" page)
file(READ "${folder}/style.css" style)
string(REPLACE "<link rel=\"stylesheet\" href=\"style.css\">" "<style>\n${style}</style>" page "${page}")
file(GLOB scripts RELATIVE "${folder}" "${folder}/*.js")
foreach(script IN LISTS scripts)
  file(READ "${folder}/${script}" text)
  string(REPLACE "<script src=\"${script}\"></script>" "<script>\n${text}</script>" page "${page}")
endforeach()
file(WRITE "${OUT}" "${page}")
