"""Inputs and weights, the same numbers as `fill.ts`."""
import torch

MASK = 0xFFFFFFFF
SEEDS = {"x": 1, "w": 2, "dy": 3}
PIXEL_SEED, LABEL_SEED = 101, 102
MEAN, STD = 0.5, 0.25
RATE, MOMENTUM = 0.01, 0.9
CHECKED_STEPS = 3


def words(count, seed):
    """32 random bits for each place: lowbias32 of place and seed."""
    h = (torch.arange(count, dtype=torch.int64) + seed * 0x9E3779B9) & MASK
    h = ((h ^ (h >> 16)) * 0x7FEB352D) & MASK
    h = ((h ^ (h >> 15)) * 0x846CA68B) & MASK
    return h ^ (h >> 16)


def uniform(shape, seed, bound=0.5):
    count = 1
    for size in shape:
        count *= size
    values = (words(count, seed).double() / 2**31 - 1) * bound
    return values.float().reshape(shape)


def seed_of(path):
    h = 0x811C9DC5
    for letter in path.encode():
        h = ((h ^ letter) * 0x01000193) & MASK
    return h


def pictures(batch, size):
    """NCHW, three channels, normalised."""
    pixels = words(batch * size * size, PIXEL_SEED)
    channels = torch.stack([(pixels >> (8 * c)) & 255 for c in range(3)], 1)
    values = (channels.double() / 255 - MEAN) / STD
    return nchw(values.float().reshape(batch, size, size, 3))


def labels(batch, classes):
    return words(batch, LABEL_SEED) % classes


def nchw(x):
    return x.permute(0, 3, 1, 2).contiguous()


def oihw(w):
    return w.permute(3, 2, 0, 1).contiguous()


def sample(x, count=1024):
    """Elements of a tensor in our layout, at the places that are compared."""
    flat = x.detach().reshape(-1)
    size = flat.numel()
    places = [(i * 2654435761) % size for i in range(min(size, count))]
    return flat[torch.tensor(places)].tolist()


def images_sample(x):
    return sample(x.permute(0, 2, 3, 1).contiguous())


def filters_sample(w):
    return sample(w.permute(2, 3, 1, 0).contiguous())


def fill_parameters(net):
    """Weights of a net by the paths of ours; `net.flattened` says where a Linear follows images."""
    with torch.no_grad():
        for path, p in list(net.named_parameters()) + list(net.named_buffers()):
            if p.dim() == 4:
                o, c, kh, kw = p.shape
                p.copy_(oihw(uniform([kh, kw, c, o], seed_of(path), he(c * kh * kw))))
            elif p.dim() == 2:
                o, i = p.shape
                w = uniform([i, o], seed_of(path), he(i))
                image = net.flattened.get(path)
                if image:
                    h, wd, c = image
                    w = w.reshape(h, wd, c, o).permute(2, 0, 1, 3).reshape(i, o)
                p.copy_(w.t())
            elif p.dim() == 1:
                p.fill_(1 if path.endswith(("weight", "running_var")) else 0)


def he(fan_in):
    return (6 / fan_in) ** 0.5
