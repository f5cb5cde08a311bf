$(call module,common/sasl,common/base,-lsasl2)
$(call unit,common/sasl)
