$(call module,common/hash,common/base,)
