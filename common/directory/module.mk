$(call module,common/directory,common/sasl common/text common/conf common/net common/tls common/log common/base,-lsqlite3 -lcrypt)
$(call unit,common/directory)
