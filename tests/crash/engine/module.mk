$(call crash,tests/crash/engine,tests/crash/disk backend-store/engine,-Itests/crash -Ibackend-store)
