$(call module,common/sql,common/log common/base,-lsqlite3 -lpq)
$(call unit,common/sql,tests/pgserver)
