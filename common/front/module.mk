$(call module,common/front,common/ctl common/location common/conf common/json common/tls common/base,)
