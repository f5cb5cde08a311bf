$(call module,common/directory,common/sql common/sasl common/text common/mail common/conf common/net common/tls common/log common/base,-lcrypt)
$(call unit,common/directory,tests/pgserver)
