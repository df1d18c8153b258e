# cmake -DOUTPUT=FILE -DMIGRATIONS=a.sql;b.sql -P embed_migrations.cmake
# Writes the C++ table of migrations, in order, numbered from 1 without gaps.
list(SORT MIGRATIONS)
set(rows "")
set(expected 1)
foreach(file IN LISTS MIGRATIONS)
  get_filename_component(name ${file} NAME_WE)
  string(REGEX MATCH "^[0-9][0-9][0-9][0-9]" number ${name})
  math(EXPR value "1${number} - 10000")
  if(NOT value EQUAL expected)
    message(FATAL_ERROR "migrations/${name}.sql: expected number ${expected}")
  endif()
  math(EXPR expected "${expected} + 1")
  file(READ ${file} sql)
  string(APPEND rows "    {${value}, \"${name}\", R\"taskd_sql(${sql})taskd_sql\"},\n")
endforeach()
file(WRITE ${OUTPUT}
     "#include \"daemon/store/db/migrator.h\"\n\nnamespace taskd {\n\nconst std::vector<Migration>& "
     "embedded_migrations() {\n  static const std::vector<Migration> table = {\n${rows}  };\n  return "
     "table;\n}\n\n}  // namespace taskd\n")
