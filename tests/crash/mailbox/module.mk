$(call crash,tests/crash/mailbox,tests/crash/disk backend-store/mailbox,-Itests/crash -Ibackend-store)
