$(call crash,tests/crash/damage,tests/crash/disk backend-store/mailbox,-Itests/crash -Ibackend-store)
