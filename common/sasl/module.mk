$(call module,common/sasl,common/text common/tls common/base,-lsasl2)
$(call unit,common/sasl)
