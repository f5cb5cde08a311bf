$(call module,common/tls,common/base,-lssl -lcrypto)
$(call unit,common/tls)
