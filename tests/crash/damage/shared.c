/* shared - the mailbox layer's world from the unit tests, here on a disk that fails. */
#include "unit/backend-store/mailbox/world.c"
#include "unit/backend-store/mailbox/world_state.c"
