$(call crash,tests/crash/move,tests/crash/disk mupdate backend-store/transfer backend-store/cluster tests/fakeauth,-Itests/crash -Itests/scenario/names -Imupdate -Ibackend-store)
