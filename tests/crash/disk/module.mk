$(call module,tests/crash/disk,backend-store/engine common/base)
$(B)/obj/tests/crash/disk/%.o: INCLUDES := -Itests/crash -Ibackend-store -Icommon
