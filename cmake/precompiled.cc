// For the targets that only hold precompiled headers.
