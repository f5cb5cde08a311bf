$(call module,backend-store/cluster,backend-store/mailbox common/proto common/location common/conf common/link common/net common/mail common/metrics common/log common/base,)
$(call unit_fake,backend-store/cluster)
