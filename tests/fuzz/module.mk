$(call fuzz,tests/fuzz,common/proto common/mail common/text common/location common/conf common/directory common/json backend-store/mailbox frontend-imap/imap,-Ibackend-store -Ifrontend-imap)
