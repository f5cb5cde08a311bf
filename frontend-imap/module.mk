$(call module,frontend-imap,frontend-imap/imap frontend-imap/pop3 frontend-imap/route common/svc common/front common/ctl common/proto common/directory common/location common/conf common/json common/metrics common/session common/link common/net common/tls common/mail common/log common/base,)
$(call program,roost-imap,frontend-imap,frontend-imap)
