/* wire - the breaking wire of the scenarios. */
#include "scenario/names/relay.c"
