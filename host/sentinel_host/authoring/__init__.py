"""For authors of guests: projects, toolchains, tests without a gateway, and a gateway that follows
what is edited.

``processes``, ``cache``, ``stamps``, ``debian``, ``node`` and ``rust_toolchain`` need the standard
library only: the development sessions use them before anything is installed.
"""
