# main.c and these files need svc and ctl, which only the program brings.
$(call module,backend-store/instance,backend-store/transfer backend-store/imap backend-store/lmtp backend-store/pop3 backend-store/cluster backend-store/mailbox backend-store/engine common/directory common/conf common/json common/metrics common/session common/link common/net common/tls common/mail common/log common/base,)
