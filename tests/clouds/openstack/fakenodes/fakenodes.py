"""Nova's fake hypervisor with several nodes, an optional delay of boots, and failures by name.

compute_driver = fakenodes.MultiNode. FAKE_NODES (default 20) nodes; FAKE_BOOT_DELAY seconds (default 0) for every
boot; a server whose name starts with "fail" ends in ERROR.
"""

import os
import time

from nova import exception
from nova.virt import fake


class MultiNode(fake.FakeDriver):
    vcpus = 1000
    memory_mb = 800000
    local_gb = 600000

    def init_host(self, host):
        super().init_host(host)
        self._set_nodes([f"{host}-n{i:02d}" for i in range(int(os.environ.get("FAKE_NODES", "20")))])

    def spawn(self, context, instance, *args, **kwargs):
        time.sleep(float(os.environ.get("FAKE_BOOT_DELAY", "0")))  # green: patched by eventlet
        if instance.display_name.startswith("fail"):
            raise exception.BuildAbortException(instance_uuid=instance.uuid, reason="injected failure")
        return super().spawn(context, instance, *args, **kwargs)
