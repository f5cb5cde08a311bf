$(call module,common/kv,common/base,-llmdb)
$(call unit,common/kv)
