// Carries the precompiled header (tools/precompiled.hpp) that every target reuses.
